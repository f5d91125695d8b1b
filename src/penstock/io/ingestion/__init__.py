"""What ExampleGen components do: find input, split rows, write Examples, keep broken rows."""
