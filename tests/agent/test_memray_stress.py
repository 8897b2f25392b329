"""A small part of the stress run; memray_stress.py by itself does as many attaches as are asked for."""

from __future__ import annotations

import os
import time
import unittest

from .memray_stress import Stress
from .memray_support import needs
from .reader_support import pythons


class Few(unittest.TestCase):
    def test_targets_come_to_no_harm_whatever_ends(self) -> None:
        made = needs()
        kinds = [f"cp3{minor}" for minor in (11, 14) if f"cp3{minor}" in made]
        found = [python for python in pythons() if python.root and f"cp3{python.minor}" in kinds]
        if not found:
            self.skipTest(f"no image has a Python that there is a payload for (of cp311 and cp314: {kinds or 'none'})")
        attaches = int(os.environ.get("PYDEBUG_STRESS", "16"))
        seed = int(time.time())
        stress = Stress(seed, found)
        stress.run(attaches)
        self.assertEqual([], stress.harm, f"seed {seed}")
        self.assertLessEqual(set(stress.causes), {"MemrayBusy"}, f"seed {seed}: {stress.messages}")
        self.assertGreaterEqual(sum(stress.attached.values()), attaches)
        self.assertGreater(stress.answered, attaches)


if __name__ == "__main__":
    unittest.main()
