"""What lies at the top of the repository for its readers travels in a wheel as dcviz/workbook; see dcviz/files.py."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
TRAVELS = (
    "data/*",
    "data/*/*",
    "notebooks/[0-9]*.ipynb",
    "notebooks/source/[0-9]*.py",
    "docs/*.md",
    "docs/teaching/*.md",
)


class WithWorkbook(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        home = Path(self.build_lib, "dcviz", "workbook")
        shutil.rmtree(home, ignore_errors=True)  # of an earlier build
        for path in (path for pattern in TRAVELS for path in HERE.glob(pattern)):
            if path.is_dir() or path.parent == HERE / "data" / "cache":
                continue
            target = home / path.relative_to(HERE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


setup(cmdclass={"build_py": WithWorkbook})
