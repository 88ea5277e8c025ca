-- +goose Up
-- The last check of a channel's index that a server was asked for, or does now. beat_us is when it was last heard of:
-- one that ended with its server does not keep others from beginning. state is all that it has found so far.
CREATE TABLE channel_check (
  channel_id BIGINT NOT NULL PRIMARY KEY REFERENCES channel ON DELETE CASCADE,
  number     BIGINT NOT NULL,
  beat_us    BIGINT NOT NULL,
  ended_us   BIGINT,
  state      TEXT NOT NULL
);
