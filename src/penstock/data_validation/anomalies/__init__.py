"""Checking statistics against a schema: each check finds anomalies and fixes the schema."""
