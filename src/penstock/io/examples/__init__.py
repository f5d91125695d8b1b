"""Examples: tf.Example records, and the split folders that hold them."""
