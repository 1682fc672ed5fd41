/** What docs/operations.md gives a server in its mount, and nothing else; `+` stands for every mount. */
export function tenurePolicy(mount: string): string {
  return `
path "${mount}/keys/tenure_key_*" { capabilities = ["create", "read", "update", "delete"] }
path "${mount}/keys/tenure_destroyed_*" { capabilities = ["create", "read", "update"] }
path "${mount}/datakey/plaintext/tenure_key_*" { capabilities = ["update"] }
path "${mount}/decrypt/tenure_key_*" { capabilities = ["update"] }
`
}
