"""Files by local path or fsspec URL: opening, listing, decompressing."""
