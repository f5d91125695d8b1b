"""What can be known of a pipeline before it runs, without importing what it runs on."""
