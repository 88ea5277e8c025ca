-- +goose Up
-- Why an API token was revoked, as the end of "it was revoked: "; empty when its owner did it.
ALTER TABLE api_token ADD COLUMN revoked_why TEXT NOT NULL DEFAULT '';
