"""The work of ExampleGen components: find input, split rows, write Examples, keep broken rows."""
