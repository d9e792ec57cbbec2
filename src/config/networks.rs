//! Keys that are a list of networks.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Networks, written as `10.0.0.0/8` or as one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// This machine itself.
    pub fn loopback() -> Self {
        Self(vec![
            IpNet::new_assert(IpAddr::from([127, 0, 0, 0]), 8),
            IpNet::from(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
        ])
    }

    /// Whether an address is in one of them. An IPv4 address in IPv6 form is the IPv4 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Networks {
    type Err = String;

    /// Reads networks with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |text: &str| {
            let text = text.trim();
            let network = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                format!("{text:?} is no network: write an address, or one with the bits that count, like 10.0.0.0/8")
            })
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut networks = Self::default();
        for text in super::origins::one_or_many(deserializer)? {
            let one: Self = text.parse().map_err(D::Error::custom)?;
            networks.0.extend(one.0);
        }
        Ok(networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_of_both_kinds() {
        let read = |text: &str| text.parse::<Networks>();
        let within =
            |network: &str, address: &str| read(network).unwrap().contain(address.parse().unwrap());
        assert!(within("10.0.0.0/8", "10.200.3.4"));
        assert!(!within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("192.0.2.7", "192.0.2.7") && !within("192.0.2.7", "192.0.2.8"));
        assert!(within("192.0.2.0/24", "::ffff:192.0.2.9"));
        assert!(within("2001:db8::/32", "2001:db8:5::1") && !within("2001:db8::/32", "::1"));
        assert!(read("10.0.0.0/33").is_err() && read("proxy.example").is_err());
        let loopback = Networks::loopback();
        assert!(loopback.contain("127.9.9.9".parse().unwrap()));
        assert!(loopback.contain("::1".parse().unwrap()));
        assert!(!loopback.contain("::2".parse().unwrap()));
    }
}
