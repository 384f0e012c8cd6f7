/** Where each region stands on the tile map: 31 provinces and the corps, about as they lie in the country. */

export interface Tile {
  readonly code: string;
  /** One character, for a narrow page. */
  readonly short: string;
  readonly column: number;
  readonly row: number;
}

const ROWS: readonly (readonly [
  row: number,
  tiles: readonly (readonly [column: number, code: string, short: string])[],
])[] = [
  [1, [[9, '230000', '黑']]],
  [
    2,
    [
      [7, '150000', '蒙'],
      [9, '220000', '吉'],
    ],
  ],
  [
    3,
    [
      [1, '650000', '新'],
      [4, '620000', '甘'],
      [5, '640000', '宁'],
      [6, '140000', '晋'],
      [7, '110000', '京'],
      [8, '120000', '津'],
      [9, '210000', '辽'],
    ],
  ],
  [
    4,
    [
      [1, '660000', '兵'],
      [3, '630000', '青'],
      [5, '610000', '陕'],
      [6, '410000', '豫'],
      [7, '130000', '冀'],
      [8, '370000', '鲁'],
    ],
  ],
  [
    5,
    [
      [2, '540000', '藏'],
      [4, '510000', '川'],
      [5, '500000', '渝'],
      [6, '420000', '鄂'],
      [7, '340000', '皖'],
      [8, '320000', '苏'],
      [9, '310000', '沪'],
    ],
  ],
  [
    6,
    [
      [5, '520000', '贵'],
      [6, '430000', '湘'],
      [7, '360000', '赣'],
      [8, '330000', '浙'],
    ],
  ],
  [
    7,
    [
      [4, '530000', '云'],
      [5, '450000', '桂'],
      [6, '440000', '粤'],
      [7, '350000', '闽'],
    ],
  ],
  [8, [[6, '460000', '琼']]],
];

export const TILES: readonly Tile[] = ROWS.flatMap(([row, tiles]) =>
  tiles.map(([column, code, short]) => ({ code, short, column, row })),
);
