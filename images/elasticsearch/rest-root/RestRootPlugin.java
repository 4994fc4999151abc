package rest_root;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.Build;
import org.elasticsearch.action.admin.cluster.health.ClusterHealthRequest;
import org.elasticsearch.action.admin.cluster.health.ClusterHealthResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestBuilderListener;
import org.elasticsearch.xcontent.XContentBuilder;

/**
 * `GET /` and `HEAD /`, which the server core from Maven Central lacks and the official image's module of this name has.
 * Clients ask it whether a node is alive: without it, Jaeger never writes again after Elasticsearch was away once.
 * As there, it takes the cluster privilege `monitor`.
 */
public final class RestRootPlugin extends Plugin implements ActionPlugin {
    @Override
    public Collection<RestHandler> getRestHandlers(
        Settings settings,
        NamedWriteableRegistry writeables,
        RestController controller,
        ClusterSettings clusterSettings,
        IndexScopedSettings indexScopedSettings,
        SettingsFilter settingsFilter,
        IndexNameExpressionResolver resolver,
        Supplier<DiscoveryNodes> nodes,
        Predicate<NodeFeature> hasFeature
    ) {
        return List.of(new Root(settings.get("node.name", "")));
    }

    private static final class Root extends BaseRestHandler {
        private final String node;

        Root(String node) {
            this.node = node;
        }

        @Override
        public String getName() {
            return "main_action";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        public RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            // the question itself is about the node; that of the cluster's health has it ask for the right privilege
            ClusterHealthRequest health = new ClusterHealthRequest(TimeValue.timeValueSeconds(10));
            health.local(true);
            return channel -> client.admin().cluster().health(health, new RestBuilderListener<>(channel) {
                @Override
                public RestResponse buildResponse(ClusterHealthResponse answer, XContentBuilder builder)
                    throws IOException {
                    builder.startObject().field("name", node).field("cluster_name", answer.getClusterName());
                    builder.startObject("version")
                        .field("number", Build.current().qualifiedVersion())
                        .field("build_flavor", Build.current().flavor())
                        .field("build_type", Build.current().type().displayName())
                        .field("build_hash", Build.current().hash())
                        .field("build_date", Build.current().date())
                        .field("build_snapshot", Build.current().isSnapshot())
                        .endObject();
                    builder.field("tagline", "You Know, for Search").endObject();
                    return new RestResponse(RestStatus.OK, builder);
                }
            });
        }
    }
}
