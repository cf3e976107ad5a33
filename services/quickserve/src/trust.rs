//! How the processes of an installation trust each other, and which addresses that allows.

use anyhow::{Context, bail};
use kit::{
    Host,
    mesh::{Certificates, MeshFiles, certificates::LOOK_EVERY},
    program::config::Config,
    rpc::remote::{RemoteChannel, is_on_this_machine},
};
use std::{convert::Infallible, future::ready, net::SocketAddr};

/// How a process trusts those that it calls and those that call it.
#[derive(Clone)]
pub enum Trust {
    /// By their certificates: all that is said between processes is encrypted, and each proves which service it is.
    Certificates(Certificates),
    /// They are all on this machine. Addresses beyond it are refused.
    ThisMachine,
    /// The operator says that the network between them is safe.
    Network,
}

impl Trust {
    /// What the configuration and the command line say. With certificates, they must be those of `service`.
    pub fn read(config: &Config, is_insecure: bool, service: &str) -> anyhow::Result<Self> {
        match MeshFiles::from_config(config)? {
            Some(_) if is_insecure => {
                bail!("--insecure and the section [mesh] exclude each other: leave one of them out")
            }
            Some(files) => {
                let certificates = Certificates::load(files)?;
                certificates.require_service(service)?;
                Ok(Self::Certificates(certificates))
            }
            None => Ok(Self::without_certificates(is_insecure)),
        }
    }

    /// For a process that runs every service, where no other one has to be trusted.
    pub fn of_one_process(config: &Config, is_insecure: bool) -> anyhow::Result<Self> {
        if MeshFiles::from_config(config)?.is_some() {
            bail!(
                "`up` runs every service in one process, where the section [mesh] has no meaning: \
                 leave it out, or use `run` and `edge`"
            );
        }
        Ok(Self::without_certificates(is_insecure))
    }

    fn without_certificates(is_insecure: bool) -> Self {
        if is_insecure { Self::Network } else { Self::ThisMachine }
    }

    /// The certificates, when it is by them.
    pub fn certificates(&self) -> Option<&Certificates> {
        match self {
            Self::Certificates(certificates) => Some(certificates),
            Self::ThisMachine | Self::Network => None,
        }
    }

    /// The scheme of the addresses of services.
    pub fn scheme(&self) -> &'static str {
        if self.certificates().is_some() { "https" } else { "http" }
    }

    /// A channel to the service `name` at `url`.
    pub fn connect(&self, name: &str, url: &str) -> anyhow::Result<RemoteChannel> {
        let connected = match self {
            Self::Certificates(certificates) => {
                RemoteChannel::connect_in_mesh(url, certificates.client(name)?)
            }
            Self::ThisMachine | Self::Network => RemoteChannel::connect(url),
        };
        let channel = connected.with_context(|| format!("{url} is no address of {name}"))?;
        if matches!(self, Self::ThisMachine) && !is_on_this_machine(url) {
            bail!("the address of {name}, {url}, {BEYOND}");
        }
        Ok(channel)
    }

    /// Refuses to listen for calls where others than processes of this machine can make them, unless they prove who they
    /// are.
    pub fn check_listening(&self, address: SocketAddr) -> anyhow::Result<()> {
        if matches!(self, Self::ThisMachine) && !address.ip().is_loopback() {
            bail!("the address to listen at, {address}, {BEYOND}");
        }
        Ok(())
    }

    /// Follows the files of the certificates until the process stops.
    pub fn follow_files(&self, host: &Host) {
        let Self::Certificates(certificates) = self else { return };
        let certificates = certificates.clone();
        let every = chrono::Duration::from_std(LOOK_EVERY).unwrap_or(chrono::Duration::seconds(5));
        host.every("look at the certificates of the mesh", every, move || {
            certificates.look();
            ready(Ok::<(), Infallible>(()))
        });
    }
}

/// Why an address is refused, continuing the sentence.
const BEYOND: &str = "is not of this machine alone, and without the section [mesh] nothing is encrypted and no service proves \
     which one it is: set [mesh] (`quickserve certs` makes what it needs), or --insecure if the network is safe";
