"""Everything is stated in setup.cfg."""

from setuptools import setup

setup()
