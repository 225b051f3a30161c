"""What outlives a request: files and their uploads, rows in a database and bytes in a folder. Only here is SQL."""
