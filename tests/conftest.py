import os

# Tests run side by side, on networks so small that threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
