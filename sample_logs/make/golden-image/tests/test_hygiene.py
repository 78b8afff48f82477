"""Nothing of the build is left in the image."""


def test_operator_exists(host):
    assert host.user("operator1").uid == 2000


def test_no_password_is_set(host):
    assert host.user("operator1").password in {"!", "*"}


def test_the_image_has_its_name(host):
    assert host.file("/etc/hostname").content_string == "green1\n"


def test_nothing_is_world_writable_in_etc(host):
    assert host.run("find /etc -xdev -type f -perm -0002").stdout == ""
