"""What setup.cfg states of the package; ``make test-packaging`` finds out whether it is true."""

from __future__ import annotations

import configparser
import fnmatch
from pathlib import Path

import pytest

from test.packaging.pythons import MINORS, installed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_dependency_has_a_lower_bound_and_no_upper_one(setup):
    extras = setup["options.extras_require"]
    stated = [setup["options"]["install_requires"], *(extras[name] for name in ("check", "images", "litert", "yaml"))]
    for requirement in "\n".join(stated).split():
        assert ">=" in requirement, requirement
        assert not set("<=~!") & set(requirement.replace(">=", "")), requirement


def test_pythons(setup):
    stated = setup["metadata"]["classifiers"].split("\n")
    versions = {line.rpartition(" ")[2] for line in stated if line.startswith("Programming Language :: Python :: 3.")}
    assert versions == {f"3.{minor}" for minor in MINORS}
    assert setup["options"]["python_requires"] == ">=3.10"
    assert set(installed()) <= versions


def test_every_file_that_is_no_module_is_package_data(setup):
    patterns = setup["options.package_data"]["onnx_tf"].split(", ")
    package = ROOT / "onnx_tf"
    files = [path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()]
    data = [name for name in files if not name.endswith((".py", ".pyc"))]
    assert "py.typed" in data
    assert [name for name in data if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in (ROOT / "onnx_tf").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
