"""A page for each type of artifact; `registry.PAGES` says which module makes which."""
