"""The store on PostgreSQL and MySQL."""
