"""AWS configuration, credentials and endpoints, through aiobotocore."""
