-- A notification is one webhook that was accepted; a delivery is one page of it on one channel.
CREATE TABLE IF NOT EXISTS notifications (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    group_key TEXT NOT NULL,
    title TEXT NOT NULL,
    trace TEXT, -- "trace id-span id" of the webhook, for the link from the deliveries' spans
    received_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS notifications_digest ON notifications (digest, received_at);

CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    group_key TEXT NOT NULL,
    page TEXT NOT NULL,
    -- standby: email that is sent only if no chat delivers · waiting · sending: handed to the channel, outcome unknown ·
    -- sent · dead
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    due_at REAL NOT NULL,
    -- a retry after this becomes a dead letter
    expires_at REAL NOT NULL,
    changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_channel ON deliveries (channel, state, group_key, id);
CREATE INDEX IF NOT EXISTS deliveries_notification ON deliveries (notification_id);

-- When each channel was last used, for the vendors' limits: kept here, because a restart does not reset the vendor's count.
CREATE TABLE IF NOT EXISTS attempts (
    channel TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_channel ON attempts (channel, at);

CREATE TABLE IF NOT EXISTS pauses (
    channel TEXT PRIMARY KEY,
    until REAL NOT NULL
);

-- What may be sent next: within a group in order, so that 【恢复】 never overtakes 【告警】; groups do not wait for each other.
CREATE VIEW IF NOT EXISTS heads AS
SELECT delivery.* FROM deliveries AS delivery
WHERE delivery.state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM deliveries AS earlier
    WHERE earlier.channel = delivery.channel
        AND earlier.state IN ('waiting', 'sending')
        AND earlier.group_key = delivery.group_key
        AND earlier.id < delivery.id
);
