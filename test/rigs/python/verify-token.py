"""What a stock JWT library makes of a token, with nothing but the address of the keys: claims as JSON, or why not."""
import json
import sys

import jwt

token, jwks_uri, issuer, audience = sys.argv[1:5]
try:
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["EdDSA"], issuer=issuer, audience=audience)
    print(json.dumps(claims))
except jwt.PyJWTError as error:
    print(json.dumps({"refused": type(error).__name__}))
