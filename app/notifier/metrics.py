"""The notifier's series."""

from prometheus_client import Counter, Gauge, Histogram

CHANNELS = ("wecom", "dingtalk", "email")

notifications = Counter(
    "alert_notifications_total",
    "Messages to people by channel and result: delivered, retried (an attempt failed and another follows), failed "
    "(given up: a dead letter). A long notification counts once for each message it became.",
    ["channel", "result"],
)
attempt_duration = Histogram(
    "alert_notification_attempt_duration_seconds",
    "Time until a channel took a message, refused it, or was given up on.",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
delay = Histogram(
    "alert_notification_delay_seconds",
    "Time from Alertmanager's webhook until a channel had taken the message.",
    ["channel"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800),
)
limit_waits = Counter(
    "alert_notification_rate_limit_waits_total",
    "How often a channel with something to say had to wait for the vendor's limit.",
    ["channel"],
)
outbox_depth = Gauge("alert_notification_outbox_depth", "Messages that wait for delivery.", ["channel"])
outbox_age = Gauge(
    "alert_notification_outbox_oldest_timestamp_seconds",
    "When the oldest message that waits came in; 0 while none waits.",
    ["channel"],
)
dead_letters = Gauge("alert_notification_dead_letters", "Messages given up and not sent again yet.", ["channel"])
enabled = Gauge("alert_notification_channel_enabled", "1 when the channel is set up, else 0.", ["channel"])
webhooks = Counter(
    "alert_webhooks_total",
    "Alertmanager's webhooks by result: accepted, duplicate (the same news again), rejected.",
    ["result"],
)
watchdog_pings = Counter(
    "alert_watchdog_pings_total",
    "Watchdog alerts by result: passed on, failed (the outside address did not take it), unset (there is no address).",
    ["result"],
)

# A counter born at 1 loses its first increase.
for _channel in CHANNELS:
    for _result in ("delivered", "retried", "failed"):
        notifications.labels(_channel, _result)
    for _series in (attempt_duration, delay, limit_waits, outbox_depth, outbox_age, dead_letters, enabled):
        _series.labels(_channel)
for _result in ("accepted", "duplicate", "rejected"):
    webhooks.labels(_result)
for _result in ("passed_on", "failed", "unset"):
    watchdog_pings.labels(_result)
