"""The services are configured as the image's users expect."""


def test_cron_is_there(host):
    assert host.file("/usr/sbin/cron").mode == 0o755


def test_logs_are_rotated_and_kept_at_most_a_month(host):
    settings = host.file("/etc/logrotate.d/image").content_string
    days = int(settings.split("rotate ")[1].split()[0])
    assert "daily" in settings
    assert days <= 30, f"logs would be kept for {days} days"


def test_services_may_start(host):
    assert not host.file("/usr/sbin/policy-rc.d").exists
