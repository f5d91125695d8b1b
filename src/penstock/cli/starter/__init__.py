"""What `penstock init` does: looks at a table, decides what each column is, writes a project."""
