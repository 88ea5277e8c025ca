-- +goose Up
ALTER TABLE account ADD COLUMN mail TEXT NOT NULL DEFAULT '';

-- An event that one account is to be told by mail. once is NULL where every such event is told; channel_id is NULL
-- where the account is told of itself. What goes into one mail has the same claim.
CREATE TABLE outbox (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account ON DELETE CASCADE,
  channel_id BIGINT REFERENCES channel ON DELETE CASCADE,
  event_id   BIGINT NOT NULL REFERENCES event ON DELETE CASCADE,
  once       TEXT,
  created_us BIGINT NOT NULL,
  next_us    BIGINT NOT NULL,
  tries      BIGINT NOT NULL,
  claim      TEXT NOT NULL,
  error      TEXT NOT NULL,
  sent_us    BIGINT,
  UNIQUE (once, account_id),
  UNIQUE (event_id, account_id)
);
CREATE INDEX outbox_due ON outbox (next_us) WHERE sent_us IS NULL;
CREATE INDEX outbox_sent ON outbox (account_id, sent_us);
CREATE INDEX outbox_claim ON outbox (claim);
CREATE INDEX outbox_channel ON outbox (channel_id) WHERE channel_id IS NOT NULL;

-- Refusals by their reason, for what a channel's owners are shown of them.
CREATE INDEX event_code ON event (channel_id, code, id) WHERE code <> '';
