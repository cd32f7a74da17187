"""Tables that several entities share: their key formats, templates and indexes."""
