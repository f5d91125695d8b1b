"""The models of an evaluation: their forms, and what they say of batches of rows."""
