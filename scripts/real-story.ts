export interface RealPlaces {
  readonly grpcAddress: string
  readonly httpAddress: string
  readonly ordersAddress: string
  readonly rootKeyFile: string
  readonly mysqlPort: number
  readonly baoAddress: string
}

/** What `make run-real` prints once everything runs: where it is, and the whole story in five commands. */
export function realStory(places: RealPlaces): string {
  const { grpcAddress, httpAddress, ordersAddress, rootKeyFile, mysqlPort, baoAddress } = places
  return `
Everything runs. Ctrl-C stops it; what it knows stays in its folder.

  Tenure         gRPC ${grpcAddress}, HTTP http://${httpAddress}
  orders service http://${ordersAddress}
  MySQL          127.0.0.1:${mysqlPort}
  OpenBao        ${baoAddress}

From this folder, in another terminal:

  call() { curl -sS -H "authorization: Bearer $(cat ${rootKeyFile})" -H 'content-type: application/json' http://${httpAddress}/tenure.v1.$1 -d "$2"; echo; }

1. A tenant with its first owner, and a workspace:

  call TenantService/CreateTenant '{"tenantId": "acme", "initialOwner": {"issuer": "https://idp.example", "subject": "alice", "email": "alice@acme.example"}}'; call WorkspaceService/CreateWorkspace '{"parent": "tenants/acme", "workspaceId": "prod"}'

2. A member of that workspace:

  call UserService/CreateUser '{"parent": "tenants/acme", "userId": "bob", "user": {"issuer": "https://idp.example", "subject": "bob"}}'; call MembershipService/CreateMembership '{"parent": "tenants/acme/workspaces/prod", "membership": {"user": "tenants/acme/users/bob", "roles": ["roles/member"]}}'

3. A secret in, sealed under a key that only OpenBao has, and out again:

  call SecretService/CreateSecret '{"parent": "tenants/acme/workspaces/prod", "secretId": "smtp"}'; call SecretService/AddSecretVersion '{"parent": "tenants/acme/workspaces/prod/secrets/smtp", "payload": "'$(printf hunter2 | base64)'"}'; call SecretService/AccessSecretVersion '{"name": "tenants/acme/workspaces/prod/secrets/smtp/versions/latest"}'

4. A token about bob, for the orders service:

  TOKEN=$(call TokenService/IssueToken '{"parent": "tenants/acme", "principal": {"user": "tenants/acme/users/bob"}, "audience": ["orders"]}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/'); echo "$TOKEN"

5. An order of acme/prod, made and listed; without the header, or with another workspace in it, it is refused:

  orders() { curl -sS -H "authorization: Bearer $TOKEN" "$@" http://${ordersAddress}/orders; echo; }; orders -H 'x-workspace-id: prod' -H 'content-type: application/json' -d '{"item": "anvil", "quantity": 1}'; orders -H 'x-workspace-id: prod'; orders; orders -H 'x-workspace-id: test'

The same over gRPC: grpcurl -plaintext -H "authorization: Bearer $(cat ${rootKeyFile})" -d '{"tenant_id": "globex"}' ${grpcAddress} tenure.v1.TenantService/CreateTenant
`
}
