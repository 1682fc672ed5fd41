import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

/** A certificate of `tenure.test` that signs itself; its key guards nothing. */
export const certificatePem = `-----BEGIN CERTIFICATE-----
MIIBQjCB9aADAgECAhRcm49Dact5YnntRhsNyX4tpWHblTAFBgMrZXAwFjEUMBIG
A1UEAwwLdGVudXJlLnRlc3QwIBcNMjYxMTIyMDEzNDExWhgPMjEyNjEwMjkwMTM0
MTFaMBYxFDASBgNVBAMMC3RlbnVyZS50ZXN0MCowBQYDK2VwAyEAqHp9eQId3Q/x
wuBQw3FT33A1OrF1srzwUJshyxL4OeajUzBRMB0GA1UdDgQWBBSqhmI0nlOhnQVS
sQ83nJ8PuR+SyjAfBgNVHSMEGDAWgBSqhmI0nlOhnQVSsQ83nJ8PuR+SyjAPBgNV
HRMBAf8EBTADAQH/MAUGAytlcANBAOQQT9J041sjDXg/XjkZlvGkJkSB9UFWTvty
qwntzuZHn5xwjO225hSvap94R9gup1Iyg9KDL4EPRvjroPYJnwA=
-----END CERTIFICATE-----
`

const pkcs8 = 'MC4CAQAwBQYDK2VwBCIEIDJblKWMKwFG8JLS4aZBT0pYICEEFEkehj86pQJHZ6VX'

export const privateKeyPem = createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' })
  .export({ format: 'pem', type: 'pkcs8' })
  .toString()

export function foreignKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
