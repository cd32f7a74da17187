"""One shop as three services: FastAPI, aiohttp and Lambda. Each is written as a user would, from public parts only."""
