import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'

// Generated code is committed, so it can be edited by hand or forgotten after a change of proto/; both end here.

const root = join(import.meta.dirname, '..')

function filesIn(folder: string): ReadonlyMap<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(folder, path), readFileSync(path)]
    }),
  )
}

function differences(
  committed: ReadonlyMap<string, Buffer>,
  generated: ReadonlyMap<string, Buffer>,
): readonly string[] {
  const found: string[] = []
  for (const [path, bytes] of generated) {
    const ours = committed.get(path)
    if (ours === undefined) found.push(`src/gen/${path} is missing`)
    else if (!ours.equals(bytes)) found.push(`src/gen/${path} differs`)
  }
  for (const path of committed.keys()) {
    if (!generated.has(path)) found.push(`src/gen/${path} is not generated from any proto`)
  }
  return found
}

const work = mkdtempSync(join(tmpdir(), 'tenure-generate-'))
try {
  // The plugin is started as `node`: it has to be the one that runs this script, not the machine's.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` }
  const buf = join(root, 'node_modules/.bin/buf')
  const run = spawnSync(buf, ['generate', '--output', work], { cwd: root, env, stdio: 'inherit' })
  const found =
    run.status === 0 ? differences(filesIn(join(root, 'src/gen')), filesIn(join(work, 'src/gen'))) : undefined
  if (found === undefined) process.exitCode = 1
  else if (found.length > 0) {
    process.stderr.write(
      `${found.join('\n')}\ngenerate-check: src/gen is not what proto/ generates: run make generate\n`,
    )
    process.exitCode = 1
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
