"""The modules beside the tests are imported by their bare names, also by the script of a page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
