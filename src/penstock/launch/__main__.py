"""`python -m penstock.launch`: one node in a container."""

import sys

from penstock.runners.kubeflow.container.entrypoint import main

if __name__ == "__main__":
    sys.exit(main())
