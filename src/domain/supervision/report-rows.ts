/** The numbers of a report as rows and columns: what its table and its CSV show. */
import { NONE } from './measures.ts';
import type { Figures, FigureSums, NamedSums } from './figures.ts';

/** Names of regions for people, by code. */
export type RegionNames = ReadonlyMap<string, { readonly en: string; readonly zh: string }>;

export interface FigureColumn {
  readonly en: string;
  readonly zh: string;
  readonly of: (sums: FigureSums) => number;
}

export const FIGURE_COLUMNS: readonly FigureColumn[] = [
  { en: 'valid certificates', zh: '有效证书', of: ({ certificates }) => certificates.valid },
  { en: 'about to expire', zh: '即将到期', of: ({ certificates }) => certificates.expiring },
  { en: 'on hold', zh: '冻结', of: ({ certificates }) => certificates.held },
  { en: 'issued', zh: '签发', of: ({ certificates }) => certificates.issued },
  { en: 'imported', zh: '导入', of: ({ certificates }) => certificates.imported },
  { en: 'revoked', zh: '撤销', of: ({ certificates }) => certificates.revoked },
  { en: 'devices in service', zh: '在用设备', of: ({ devices }) => devices['in-service'] },
  { en: 'devices registered', zh: '已登记设备', of: ({ devices }) => devices.registered },
  {
    en: 'devices out of service',
    zh: '停用设备',
    of: ({ devices }) => devices.suspended + devices.quarantined + devices.decommissioned,
  },
  { en: 'enrolments', zh: '注册成功', of: ({ enrolments }) => enrolments.completed },
  { en: 'renewals', zh: '更新', of: ({ enrolments }) => enrolments.renewed },
  { en: 'enrolments refused', zh: '注册被拒', of: ({ enrolments }) => enrolments.refused },
  { en: 'approvals waiting', zh: '待审批', of: ({ enrolments, requests }) => enrolments.waiting + requests.waiting },
  { en: 'keys made', zh: '预生成密钥', of: ({ keys }) => keys.made },
  { en: 'keys given out', zh: '密钥分发', of: ({ keys }) => keys.given },
  { en: 'keys recovered', zh: '密钥恢复', of: ({ keys }) => keys.recovered + keys.recoveredJudicial },
];

export interface FigureRow {
  readonly kind: { readonly en: string; readonly zh: string };
  readonly name: string;
  /** For people, where it is another one. */
  readonly title: { readonly en: string; readonly zh: string };
  readonly sums: FigureSums;
}

const KINDS = [
  ['regions', { en: 'region', zh: '地区' }],
  ['registrationAuthorities', { en: 'registration authority', zh: '注册机构' }],
  ['profiles', { en: 'profile', zh: '模板' }],
  ['algorithms', { en: 'algorithm', zh: '算法' }],
  ['models', { en: 'device model', zh: '设备型号' }],
  ['days', { en: 'day', zh: '日期' }],
] as const;

function titleOf(name: string, names: RegionNames | undefined): FigureRow['title'] {
  if (name === NONE) return { en: 'of no region', zh: '未分区' };
  return names?.get(name) ?? { en: name, zh: name };
}

function rowsOf(kind: FigureRow['kind'], parts: readonly NamedSums[], names?: RegionNames): FigureRow[] {
  return parts.map(({ name, sums }) => ({ kind, name, title: titleOf(name, names), sums }));
}

/** All rows: the total, then each part of the estate. */
export function figureRows(figures: Figures, names: RegionNames): FigureRow[] {
  const total = { kind: { en: 'total', zh: '合计' }, name: '', title: { en: 'all', zh: '全部' }, sums: figures.total };
  return [
    total,
    ...KINDS.flatMap(([member, kind]) => rowsOf(kind, figures[member], member === 'regions' ? names : undefined)),
  ];
}
