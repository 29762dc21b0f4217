"""All tables, in one metadata: import from here, so that Alembic and tests see every one."""

from shared.database.tables.accounts import AccountRow
from shared.database.tables.base import Base, utc_now
from shared.database.tables.brokers import (
    BrokerConnectionRow,
    BrokerDifferenceRow,
    BrokerOrderRow,
)
from shared.database.tables.corporate_actions import (
    CorporateActionEffectRow,
    CorporateActionFailureRow,
    CorporateActionLookRow,
    CorporateActionRow,
)
from shared.database.tables.currencies import ForeignCashRow, FxRateRow
from shared.database.tables.identity import SessionRow, UserRow
from shared.database.tables.leases import LeaseRow
from shared.database.tables.market_data import (
    CandleRow,
    DataCursorRow,
    DataJobRow,
    InstrumentRow,
    MarketDataConfigurationRow,
    MarketFileRow,
    MissingSymbolMappingRow,
    ReplayRow,
    SilentSymbolRow,
    SymbolMappingRow,
)
from shared.database.tables.notifications import NotificationRow, NotificationTopicRow
from shared.database.tables.orders import (
    AccountEventRow,
    BooksCheckRow,
    ExecutionRow,
    LedgerEntryRow,
    LotClosingRow,
    LotRow,
    MarkRow,
    OrderRow,
    OrderTransitionRow,
    PositionConversionRow,
    PositionRow,
    ShardRow,
    StrategyPositionRow,
)
from shared.database.tables.risk import (
    AccountRiskRow,
    AuditRow,
    RiskLimitsRow,
    RiskPlatformRow,
    ShardHaltRow,
)
from shared.database.tables.strategies import (
    BacktestRow,
    DeploymentLogRow,
    DeploymentParametersRow,
    DeploymentPlotRow,
    DeploymentRow,
    SignalRow,
    StrategyVersionRow,
)
from shared.database.tables.studies import StudyRow, StudyTrialRow

__all__ = [
    "AccountEventRow",
    "AccountRiskRow",
    "AccountRow",
    "AuditRow",
    "BacktestRow",
    "Base",
    "BooksCheckRow",
    "BrokerConnectionRow",
    "BrokerDifferenceRow",
    "BrokerOrderRow",
    "CandleRow",
    "CorporateActionEffectRow",
    "CorporateActionFailureRow",
    "CorporateActionLookRow",
    "CorporateActionRow",
    "DataCursorRow",
    "DataJobRow",
    "DeploymentLogRow",
    "DeploymentParametersRow",
    "DeploymentPlotRow",
    "DeploymentRow",
    "ExecutionRow",
    "ForeignCashRow",
    "FxRateRow",
    "InstrumentRow",
    "LeaseRow",
    "LedgerEntryRow",
    "LotClosingRow",
    "LotRow",
    "MarkRow",
    "MarketDataConfigurationRow",
    "MarketFileRow",
    "MissingSymbolMappingRow",
    "NotificationRow",
    "NotificationTopicRow",
    "OrderRow",
    "OrderTransitionRow",
    "PositionConversionRow",
    "PositionRow",
    "ReplayRow",
    "RiskLimitsRow",
    "RiskPlatformRow",
    "SessionRow",
    "ShardHaltRow",
    "ShardRow",
    "SignalRow",
    "SilentSymbolRow",
    "StrategyPositionRow",
    "StrategyVersionRow",
    "StudyRow",
    "StudyTrialRow",
    "SymbolMappingRow",
    "UserRow",
    "utc_now",
]
