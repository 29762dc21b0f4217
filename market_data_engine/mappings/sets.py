"""Instruments and mappings that an admin can load at once. They are a beginning, not the market:
names change, so check them before you trade on them."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from market_data_engine.instruments.schemas import Instrument
from market_data_engine.mappings import schemas

_Set = tuple[list[Instrument], list[schemas.Mapping]]

_US_EQUITIES = """
AAPL Apple; ABBV AbbVie; ABT Abbott Laboratories; ADBE Adobe; AMD Advanced Micro Devices;
AMGN Amgen; AMZN Amazon; AVGO Broadcom; AXP American Express; BA Boeing; BAC Bank of America;
BLK BlackRock; BRK.B Berkshire Hathaway B; C Citigroup; CAT Caterpillar; COST Costco;
CRM Salesforce; CSCO Cisco Systems; CVX Chevron; DIS Walt Disney; GE General Electric;
GOOGL Alphabet A; GS Goldman Sachs; HD Home Depot; HON Honeywell;
IBM International Business Machines; INTC Intel; JNJ Johnson & Johnson; JPM JPMorgan Chase;
KO Coca-Cola; LLY Eli Lilly; LMT Lockheed Martin; LOW Lowe's; MA Mastercard; MCD McDonald's;
META Meta Platforms; MRK Merck; MS Morgan Stanley; MSFT Microsoft; NFLX Netflix; NKE Nike;
NVDA NVIDIA; ORCL Oracle; PEP PepsiCo; PFE Pfizer; PG Procter & Gamble; PM Philip Morris;
QCOM Qualcomm; SBUX Starbucks; T AT&T; TMO Thermo Fisher; TSLA Tesla; TXN Texas Instruments;
UNH UnitedHealth; UNP Union Pacific; UPS United Parcel Service; V Visa; VZ Verizon;
WFC Wells Fargo; WMT Walmart; XOM Exxon Mobil
"""
_US_FUNDS = """
SPY SPDR S&P 500 ETF Trust; QQQ Invesco QQQ Trust; IWM iShares Russell 2000 ETF;
DIA SPDR Dow Jones Industrial Average ETF Trust; GLD SPDR Gold Shares;
TLT iShares 20+ Year Treasury Bond ETF
"""
_NSE = """
ADANIENT Adani Enterprises; ADANIPORTS Adani Ports; APOLLOHOSP Apollo Hospitals;
ASIANPAINT Asian Paints; AXISBANK Axis Bank; BAJAJ-AUTO Bajaj Auto; BAJAJFINSV Bajaj Finserv;
BAJFINANCE Bajaj Finance; BHARTIARTL Bharti Airtel; BPCL Bharat Petroleum;
BRITANNIA Britannia Industries; CIPLA Cipla; COALINDIA Coal India; DIVISLAB Divi's Laboratories;
DRREDDY Dr. Reddy's Laboratories; EICHERMOT Eicher Motors; GRASIM Grasim Industries;
HCLTECH HCL Technologies; HDFCBANK HDFC Bank; HDFCLIFE HDFC Life Insurance;
HEROMOTOCO Hero MotoCorp; HINDALCO Hindalco Industries; HINDUNILVR Hindustan Unilever;
ICICIBANK ICICI Bank; INDUSINDBK IndusInd Bank; INFY Infosys; ITC ITC; JSWSTEEL JSW Steel;
KOTAKBANK Kotak Mahindra Bank; LT Larsen & Toubro; M&M Mahindra & Mahindra; MARUTI Maruti Suzuki;
NESTLEIND Nestle India; NTPC NTPC; ONGC Oil and Natural Gas Corporation;
POWERGRID Power Grid Corporation; RELIANCE Reliance Industries; SBILIFE SBI Life Insurance;
SBIN State Bank of India; SUNPHARMA Sun Pharmaceutical; TATACONSUM Tata Consumer Products;
TATASTEEL Tata Steel; TCS Tata Consultancy Services; TECHM Tech Mahindra; TITAN Titan;
ULTRACEMCO UltraTech Cement; UPL UPL; WIPRO Wipro
"""


def _listed(text: str) -> list[tuple[str, str]]:
    """(code, name) of each."""
    entries = (" ".join(entry.split()) for entry in text.split(";"))
    return [(code, name) for code, _, name in (entry.partition(" ") for entry in entries)]


def us_equities() -> _Set:
    """Names at Yahoo are mapped where they differ; at Alpaca none does."""
    listed = _listed(_US_EQUITIES) + _listed(_US_FUNDS)
    funds = {code for code, _ in _listed(_US_FUNDS)}
    described = [Instrument(symbol=code, name=name, exchange="XNYS") for code, name in listed]
    mappings = [
        schemas.Mapping(
            party=party,
            symbol=code,
            token=code.replace(".", "-") if party == "yahoo" else code,
            kind="etf" if code in funds else "equity",
            lot_size=Decimal(1),
            tick_size=Decimal("0.01"),
        )
        for code, _ in listed
        for party in ("alpaca", "yahoo")
    ]
    return described, mappings


def nse() -> _Set:
    """Large companies of India's National Stock Exchange, as `CODE.NSE`: some codes are those of
    other companies in New York."""
    described, mappings = [], []
    for code, name in _listed(_NSE):
        symbol = f"{code.replace('&', '')}.NSE"
        described.append(
            Instrument(
                symbol=symbol, name=name, exchange="XNSE", currency="INR", tick_size=Decimal("0.05")
            )
        )
        mappings.append(
            schemas.Mapping(
                party="yahoo",
                symbol=symbol,
                token=f"{code}.NS",
                exchange="NSI",
                kind="equity",
                lot_size=Decimal(1),
                tick_size=Decimal("0.05"),
            )
        )
    return described, mappings


SETS: Final[Mapping[str, Callable[[], _Set]]] = {"us-equities": us_equities, "nse": nse}
