"""tap.py - runs functions as tests, and prints TAP."""

import traceback


def run_all(functions):
    """How many have failed."""
    failed = 0
    print(f"1..{len(functions)}")
    for number, function in enumerate(functions, 1):
        try:
            function()
            print(f"ok {number} - {function.__name__}", flush=True)
        except Exception:  # whatever it is, it is the test that failed
            failed += 1
            print(f"not ok {number} - {function.__name__}")
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
    return failed
