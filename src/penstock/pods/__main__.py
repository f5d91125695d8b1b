"""`python -m penstock.pods`: the agent in the pods of a node with several replicas."""

import sys

from penstock.pods.agent import main

if __name__ == "__main__":
    sys.exit(main())
