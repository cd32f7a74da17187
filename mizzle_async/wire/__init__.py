"""The way to the service: signing, connections, retries, deadlines. Knows DynamoDB's JSON, never a model."""
