"""What `penstock check` looks at, without importing what the pipeline runs on."""
