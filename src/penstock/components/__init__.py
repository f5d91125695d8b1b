"""Every standard component, one file each."""
