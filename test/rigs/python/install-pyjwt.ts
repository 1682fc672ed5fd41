import { installPythonPackages } from './install-python-packages.ts'

/** A JWT library of another language; answers the folder its packages are in. */
export function installPyJwt(): Promise<string> {
  const packages = ['PyJWT==2.15.1', 'cryptography==50.0.2', 'cffi==2.1.1', 'pycparser==3.12']
  return installPythonPackages({ name: 'pyjwt', packages })
}
