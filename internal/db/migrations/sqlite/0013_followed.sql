-- +goose Up
-- What the source of an imported artifact said of it at the last import: what has changed there since is taken up by the next one.
ALTER TABLE artifact ADD COLUMN source_yanked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE artifact ADD COLUMN source_patch TEXT NOT NULL DEFAULT '';
UPDATE artifact SET source_patch = patch, source_yanked = CASE WHEN yanked_us IS NOT NULL AND yanked_by = '' THEN 1 ELSE 0 END WHERE source <> '';
