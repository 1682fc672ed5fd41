import { type Setting, settings } from './settings.ts'

/** The table of docs/settings.md, rendered from the same rows that settings are read by. */
export function settingsTable(): string {
  const rows = Object.values<Setting<unknown>>(settings).map((setting) => [
    setting.variable === undefined ? '—' : code(setting.variable),
    setting.yamlPath === undefined ? '—' : code(setting.yamlPath),
    setting.type.label,
    fallbackOf(setting),
    setting.isSecret === true ? 'yes' : 'no',
    setting.description,
  ])
  const head = ['Variable', 'YAML', 'Type', 'Default', 'Secret', 'What it is']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function fallbackOf(setting: Setting<unknown>): string {
  if (setting.fallback === undefined) return setting.fallbackText ?? 'none'
  return code(typeof setting.fallback === 'object' ? JSON.stringify(setting.fallback) : String(setting.fallback))
}

function code(text: string): string {
  return `\`${text}\``
}
