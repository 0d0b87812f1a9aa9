"""Look over the installation: one line per finding, with what to do about it.

    python main/doctor.py
    python main/doctor.py --root /disk/pose2mesh

OK: fine. WARN: something optional is not there. FAIL: the programs will not work; the exit code is 1 then.
"""

import argparse
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

# none of these imports a package from outside the standard library, so that the doctor works when one is broken
from lib.doctor import files, packages, shipped
from lib.doctor.finding import FAIL, WARN, examine


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Check the installation", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="folder with data/, licensed models, experiment/")
    root = parser.parse_args().root
    levels = []
    for check, *args in (
        (packages.python,),
        (packages.packages, REPOSITORY),
        (packages.gpu,),
        (packages.opengl, REPOSITORY),
        (packages.places, root),
        (shipped.shipped_files, REPOSITORY),
        (files.models, root),
        (files.weights, root),
        (files.datasets, root),
    ):
        for finding in examine(check, *args):
            levels.append(finding.level)
            print(finding.line(), flush=True)
    print(
        f"{levels.count(FAIL)} to mend, {levels.count(WARN)} optional things missing or unusual, {len(levels)} findings"
    )
    sys.exit(1 if FAIL in levels else 0)


if __name__ == "__main__":
    main()
