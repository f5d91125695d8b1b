"""The work of `penstock init`: looking at a table, deciding what each column is, writing a project."""
