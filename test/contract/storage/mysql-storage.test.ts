import { openMysqlCell } from './mysql-cell.ts'
import { describeStorage } from './storage-contract.ts'

describeStorage('mysql', openMysqlCell)
