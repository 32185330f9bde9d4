"""What boto3's default chain finds: the access key id and when it expires."""

import boto3

credentials = boto3.Session().get_credentials()
key = credentials.get_frozen_credentials().access_key
# boto3 tells nobody else when it will ask again.
print(key, credentials._expiry_time.strftime("%Y-%m-%dT%H:%M:%SZ"))
