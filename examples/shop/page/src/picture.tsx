/** Drawn here, so that they look the same where there is no font for them. */
const PATHS: Readonly<Record<string, string>> = {
  kettle: 'M13 22h22l3 17H10zM18 22a6 6 0 0 1 12 0M37 28l6-6M15 15a9 9 0 0 1 18 0',
  lamp: 'M24 5v7M16 12h16l4 20H12zM15 39h18M24 32v7',
  mug: 'M12 17h20v19a4 4 0 0 1-4 4H16a4 4 0 0 1-4-4zM32 21h4a5 5 0 0 1 0 11h-4M18 6v6M26 6v6',
  rope: 'M24 8a16 16 0 1 0 .1 0M24 15a9 9 0 1 0 .1 0M35 35l7 7',
  compass: 'M24 6a18 18 0 1 0 .1 0M31 17l-4 10-10 4 4-10z',
  tea: 'M12 37c-4-16 8-27 28-27 1 19-9 30-28 27zM8 43c6-12 14-20 24-25',
  umbrella: 'M24 8C12 8 6 16 6 25h36C42 16 36 8 24 8zM24 5v31a4 4 0 0 1-8 0',
  lantern: 'M24 4v6M16 10h16M16 10c-9 8-9 18 0 26M32 10c9 8 9 18 0 26M16 36h16M24 36v8M24 10v26',
}

export function Picture({ of, size }: { of: string; size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 48 48" aria-hidden="true" style={{ flex: 'none' }}>
      <path
        d={PATHS[of]}
        fill="none"
        stroke="currentColor"
        strokeWidth="2.2"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}
