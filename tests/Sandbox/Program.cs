using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox;

/// <summary>The program.</summary>
internal static class Program
{
    private const int UsageError = 2;

    private static async Task<int> Main(string[] arguments)
    {
        SandboxOptions options;
        try
        {
            options = SandboxOptions.Parse(arguments);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException)
        {
            await Console.Error.WriteLineAsync($"{failure.Message}\n\n{SandboxOptions.Usage}").ConfigureAwait(false);
            return UsageError;
        }

        try
        {
            using StateLock? held = StateLock.Take(options.State, create: !options.Clean);
            if (held is null)
            {
                return 0;
            }

            await Kubelet.CleanAsync(options.State).ConfigureAwait(false);
            if (!options.Clean)
            {
                await ServeAsync(options).ConfigureAwait(false);
            }

            held.Remove();
            return 0;
        }
        catch (IOException failure)
        {
            await Console.Error.WriteLineAsync(failure.Message).ConfigureAwait(false);
            return 1;
        }
    }

    private static async Task ServeAsync(SandboxOptions options)
    {
        TaskCompletionSource end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            end.TrySetResult();
        }

        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        if (options.WatchInput)
        {
            _ = WatchInputAsync(end);
        }

        NodeContext node = new(options.State, options.Images);
        node.Prepare();
        ObjectStore store = new();
        AddBasics(store);
        Kubelet kubelet = new(node, store, new EventRecorder(store));
        Authorizer authorizer = Authorizer.Create(options.Policy);
        (X509Certificate2 certificate, string authority) = CertificateAuthority.Create();
        using (certificate)
        {
            ApiServer server = new(store, kubelet, authorizer, certificate, options.Port);
            await using (server.ConfigureAwait(false))
            {
                string address = await server.StartAsync().ConfigureAwait(false);
                WriteFiles(options.State, address, authority, authorizer);
                await Console.Out.WriteLineAsync($"serving {address}").ConfigureAwait(false);
                await end.Task.ConfigureAwait(false);
            }
        }

        await kubelet.StopAllAsync().ConfigureAwait(false);
        await Kubelet.CleanAsync(options.State).ConfigureAwait(false);
    }

    private static void AddBasics(ObjectStore store)
    {
        foreach (string name in (string[])["default", "kube-system"])
        {
            JsonObject metadata = new() { ["name"] = name };
            store.Add("namespaces", NamespaceApi.Build(new JsonObject { ["metadata"] = metadata }));
        }

        store.Add("nodes", new JsonObject
        {
            ["kind"] = "Node",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject
            {
                ["name"] = NodeContext.NodeName,
                ["uid"] = Guid.NewGuid().ToString(),
                ["creationTimestamp"] = EventRecorder.Timestamp(DateTime.UtcNow),
                ["labels"] = Scheduler.NodeLabels(),
            },
            ["spec"] = new JsonObject(),
            ["status"] = new JsonObject
            {
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }),
            },
        });
    }

    private static void WriteFiles(string state, string address, string authority, Authorizer authorizer)
    {
        File.WriteAllText(Path.Combine(state, "ca.crt"), authority);
        KubeconfigFile.Write(Path.Combine(state, "kubeconfig"), address, authority, authorizer.Users[0]);
        foreach (User user in authorizer.Users.Skip(1))
        {
            KubeconfigFile.Write(Path.Combine(state, "kubeconfig-" + user.Name), address, authority, user);
        }

        File.WriteAllText(Path.Combine(state, "ready"), address + "\n");
    }

    private static async Task WatchInputAsync(TaskCompletionSource end)
    {
        using Stream input = Console.OpenStandardInput();
        byte[] buffer = new byte[256];
        while (await input.ReadAsync(buffer).ConfigureAwait(false) > 0)
        {
        }

        end.TrySetResult();
    }
}
