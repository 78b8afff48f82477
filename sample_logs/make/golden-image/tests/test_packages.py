"""What must be installed in the image, and what must not."""

import pytest


@pytest.mark.parametrize("name", ["apt", "python3", "cron", "logrotate"])
def test_wanted_package_is_installed(host, name):
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", ["gcc", "telnetd"])
def test_unwanted_package_is_absent(host, name):
    assert not host.package(name).is_installed
