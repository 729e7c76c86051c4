"""The `lavis` command."""
